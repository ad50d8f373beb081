import java.util.concurrent.*;

/** The executor is known to its own threads only. */
public class ExecutorOfAThread {
    static class Mail extends Leak.Payload implements Runnable {
        Mail(int number) { super(number); }
        public void run() { Leak.park(); }
    }

    static void start() {
        ExecutorService executor = Executors.newSingleThreadExecutor();
        for (int i = 0; i < 5000; i++) executor.execute(new Mail(i));
    }

    public static void main(String[] args) throws Exception {
        start();
        Leak.sleep(100);
        Leak.dump();
    }
}
