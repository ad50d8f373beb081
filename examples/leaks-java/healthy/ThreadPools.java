import java.util.concurrent.*;

/** Pools of waiting threads with a buffer each, on the stack and in a thread-local. */
public class ThreadPools {
    static final ThreadLocal<byte[]> SCRATCH = ThreadLocal.withInitial(() -> new byte[16_000]);

    static void serve() {
        byte[] buffer = new byte[16_000];
        SCRATCH.get()[0]++;
        Leak.park();
        buffer[0]++;
    }

    static final ExecutorService POOL = Executors.newFixedThreadPool(60);

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 60; i++) POOL.execute(ThreadPools::serve);
        Leak.sleep(200);
        Leak.dump();
    }
}
