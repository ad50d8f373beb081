import java.util.concurrent.*;

/** Redeployed code: each deployment leaves a thread-local in a pooled thread. */
public class RedeployHeldByThreadLocals {
    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(1, task -> new Thread(task, "http-1"));
        for (int i = 0; i < 30; i++) {
            pool.submit(() -> { Deployment.start("plugin.ThreadLocalPlugin"); return null; }).get();
        }
        Leak.dump();
    }
}
