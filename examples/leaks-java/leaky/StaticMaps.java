import java.util.*;
import java.util.concurrent.*;

/** A static map of every kind that is filled and never emptied. */
public class StaticMaps {
    static class Order extends Leak.Payload {
        Order(int number) { super(number); }
    }
    enum Region { NORTH, SOUTH, EAST, WEST }

    static final Map<Integer, Order> hash = new HashMap<>();
    static final Map<Integer, Order> linked = new LinkedHashMap<>();
    static final Map<Integer, Order> tree = new TreeMap<>();
    static final Map<Integer, Order> table = new Hashtable<>();
    static final Map<Integer, Order> identity = new IdentityHashMap<>();
    static final Map<Integer, Order> concurrent = new ConcurrentHashMap<>();
    static final Map<Integer, Order> skipList = new ConcurrentSkipListMap<>();
    static final Map<Region, List<Order>> byRegion = new EnumMap<>(Region.class);
    /** Values hold their keys, so no key ever goes. */
    static final Map<Integer, Order> weakKeys = new WeakHashMap<>();
    static class Keyed extends Order {
        Integer key;
        Keyed(Integer key) { super(key); this.key = key; }
    }
    static final Properties properties = new Properties();

    public static void main(String[] args) throws Exception {
        for (Region region : Region.values()) byRegion.put(region, new ArrayList<>());
        for (int i = 0; i < 1200; i++) {
            Integer key = 100_000 + i;
            for (Map<Integer, Order> map : List.of(hash, linked, tree, table, identity, concurrent, skipList)) {
                map.put(key, new Order(i));
            }
            byRegion.get(Region.values()[i % 4]).add(new Order(i));
            Integer weak = 200_000 + i;
            weakKeys.put(weak, new Keyed(weak));
            properties.setProperty("key-" + i, "x".repeat(1000) + i);
        }
        Leak.dump();
    }
}
