import java.lang.ref.*;
import java.util.*;

/** Weak references with a payload of their own; their queue is never polled. */
public class ReferenceQueueNotDrained {
    static class CacheKey extends WeakReference<Object> {
        final byte[] value = new byte[1000];
        CacheKey(Object referent, ReferenceQueue<Object> queue) { super(referent, queue); }
    }
    static final ReferenceQueue<Object> QUEUE = new ReferenceQueue<>();

    public static void main(String[] args) throws Exception {
        List<CacheKey> keys = new ArrayList<>();
        for (int i = 0; i < 4000; i++) keys.add(new CacheKey(new Object(), QUEUE));
        System.gc();
        Leak.sleep(300);
        keys = null;
        Leak.dump();
    }
}
