import java.util.concurrent.*;

/** A queue between threads that no static field leads to; the consumer is slow. */
public class SlowConsumer {
    static class Message extends Leak.Payload {
        Message(int number) { super(number); }
    }
    static class Consumer implements Runnable {
        private final BlockingQueue<Message> inbox;
        Consumer(BlockingQueue<Message> inbox) { this.inbox = inbox; }
        public void run() {
            try {
                Message first = inbox.take();
                Leak.park();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    static void start() {
        BlockingQueue<Message> queue = new LinkedBlockingQueue<>();
        new Thread(new Consumer(queue), "mail-consumer").start();
        for (int i = 0; i < 5000; i++) queue.add(new Message(i));
    }

    public static void main(String[] args) throws Exception {
        start();
        Leak.sleep(100);
        Leak.dump();
    }
}
