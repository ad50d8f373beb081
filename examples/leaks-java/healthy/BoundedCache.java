import java.util.*;
import java.util.concurrent.*;

/** A bounded cache made by hand: a map, a queue for the order, and a limit. */
public class BoundedCache<K, V> {
    private final int maximumSize;
    private final Map<K, V> entries = new ConcurrentHashMap<>();
    private final Queue<K> order = new ConcurrentLinkedQueue<>();

    BoundedCache(int maximumSize) { this.maximumSize = maximumSize; }

    void put(K key, V value) {
        if (entries.put(key, value) == null) order.add(key);
        while (entries.size() > maximumSize) entries.remove(order.remove());
    }

    static class Document extends Leak.Payload {
        Document(int number) { super(number); }
    }
    static class DocumentService {
        private final BoundedCache<Integer, Document> cache = new BoundedCache<>(3000);
    }
    static final DocumentService SERVICE = new DocumentService();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 5000; i++) SERVICE.cache.put(i, new Document(i));
        Leak.dump();
    }
}
