import java.util.*;
import java.util.concurrent.*;

/** Requests wait for a lock that is never given back, each in a thread of a cached pool. */
public class ReentrantWaiters {
    static class Report extends Leak.Payload {
        Report(int number) { super(number); }
    }
    static final Semaphore SLOTS = new Semaphore(1);

    static void produce(int number) {
        List<Report> reports = new ArrayList<>();
        for (int i = 0; i < 20; i++) reports.add(new Report(i));
        SLOTS.acquireUninterruptibly();
        reports.clear();
        Leak.park();
    }

    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newCachedThreadPool();
        for (int i = 0; i < 200; i++) {
            int number = i;
            pool.execute(() -> produce(number));
        }
        Leak.sleep(300);
        Leak.dump();
    }
}
