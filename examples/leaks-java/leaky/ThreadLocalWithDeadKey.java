import java.util.*;
import java.util.concurrent.*;

/** Thread-locals that are themselves collected leave their values behind in the thread. */
public class ThreadLocalWithDeadKey {
    static class Buffer extends Leak.Payload {
        Buffer(int number) { super(number); }
    }
    static class Parser {
        final ThreadLocal<Buffer> buffer = new ThreadLocal<>();
    }

    static void work() {
        Parser[] parsers = new Parser[4000];
        for (int i = 0; i < parsers.length; i++) {
            parsers[i] = new Parser();
            parsers[i].buffer.set(new Buffer(i));
        }
    }

    public static void main(String[] args) throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        new Thread(() -> {
            work();
            done.countDown();
            Leak.park();
        }, "parser-1").start();
        done.await();
        System.gc();
        Leak.dump();
    }
}
