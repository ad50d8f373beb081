import java.lang.ref.*;
import java.util.*;

/** Caches that give way: softly held values, weakly held keys, weakly held listeners. */
public class SoftAndWeakCaches {
    static class Picture extends Leak.Payload {
        Picture(int number) { super(number); }
    }
    static final Map<Integer, SoftReference<Picture>> soft = new HashMap<>();
    static final Map<Picture, Integer> weakKeys = new WeakHashMap<>();
    static final List<WeakReference<Picture>> listeners = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 3000; i++) {
            soft.put(i, new SoftReference<>(new Picture(i)));
            weakKeys.put(new Picture(i), i);
            listeners.add(new WeakReference<>(new Picture(i)));
        }
        Leak.dump();
    }
}
