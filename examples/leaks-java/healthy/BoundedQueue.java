import java.util.concurrent.*;

/** Bounded queues that are full: the producers wait, nothing piles up. */
public class BoundedQueue {
    static class Frame extends Leak.Payload {
        Frame(int number) { super(number); }
    }
    static class Encoder {
        private final BlockingQueue<Frame> input = new ArrayBlockingQueue<>(1500);
        private final BlockingQueue<Frame> output = new LinkedBlockingQueue<>(1500);
        private final ExecutorService workers = new ThreadPoolExecutor(
                1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingDeque<>(1500), new ThreadPoolExecutor.DiscardPolicy());
    }
    static final Encoder ENCODER = new Encoder();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 3000; i++) {
            ENCODER.input.offer(new Frame(i));
            ENCODER.output.offer(new Frame(i));
            Frame frame = new Frame(i);
            ENCODER.workers.execute(() -> { frame.body[0]++; Leak.park(); });
        }
        Leak.dump();
    }
}
