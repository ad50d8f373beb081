import java.util.*;
import java.util.concurrent.*;

/** A thread-local in an instance field, with a map of attributes as logging contexts have. */
public class ThreadLocalOfAnObject {
    static class Value extends Leak.Payload {
        Value(int number) { super(number); }
    }
    static class DiagnosticContext {
        private final ThreadLocal<Map<String, Value>> attributes = ThreadLocal.withInitial(HashMap::new);
        void put(String key, Value value) { attributes.get().put(key, value); }
    }
    static final DiagnosticContext CONTEXT = new DiagnosticContext();

    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(3);
        CyclicBarrier barrier = new CyclicBarrier(4);
        for (int thread = 0; thread < 3; thread++) {
            pool.submit(() -> {
                for (int i = 0; i < 1500; i++) CONTEXT.put("request-" + i, new Value(i));
                return barrier.await();
            });
        }
        barrier.await();
        Leak.sleep(50);
        Leak.dump();
    }
}
