import java.util.*;
import java.util.concurrent.*;

/** A static thread-local of pooled threads collects what every request leaves behind. */
public class ThreadLocalStatic {
    static class Trace extends Leak.Payload {
        Trace(int number) { super(number); }
    }
    static final ThreadLocal<List<Trace>> TRACES = ThreadLocal.withInitial(ArrayList::new);

    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        CyclicBarrier barrier = new CyclicBarrier(5);
        for (int thread = 0; thread < 4; thread++) {
            pool.submit(() -> {
                for (int i = 0; i < 1000; i++) TRACES.get().add(new Trace(i));
                return barrier.await();
            });
        }
        barrier.await();
        Leak.sleep(50);
        Leak.dump();
    }
}
