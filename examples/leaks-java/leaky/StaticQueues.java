import java.util.*;
import java.util.concurrent.*;

/** A static queue of every kind that nobody takes from. */
public class StaticQueues {
    static class Job extends Leak.Payload implements Delayed {
        Job(int number) { super(number); }
        public long getDelay(TimeUnit unit) { return unit.convert(1, TimeUnit.HOURS); }
        public int compareTo(Delayed other) { return Integer.compare(number, ((Job) other).number); }
    }

    static final Queue<Job> arrayDeque = new ArrayDeque<>();
    static final Queue<Job> priority = new PriorityQueue<>();
    static final Queue<Job> linkedBlocking = new LinkedBlockingQueue<>();
    static final Queue<Job> linkedBlockingDeque = new LinkedBlockingDeque<>();
    static final Queue<Job> concurrentLinked = new ConcurrentLinkedQueue<>();
    static final Queue<Job> concurrentDeque = new ConcurrentLinkedDeque<>();
    static final Queue<Job> transfer = new LinkedTransferQueue<>();
    static final Queue<Job> priorityBlocking = new PriorityBlockingQueue<>();
    static final DelayQueue<Job> delay = new DelayQueue<>();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 1200; i++) {
            for (Queue<Job> queue : List.of(arrayDeque, priority, linkedBlocking, linkedBlockingDeque,
                    concurrentLinked, concurrentDeque, transfer, priorityBlocking)) {
                queue.add(new Job(i));
            }
            delay.add(new Job(i));
        }
        Leak.dump();
    }
}
