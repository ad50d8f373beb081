import java.util.*;
import java.util.concurrent.*;

/** Collections behind the wrappers of {@code Collections}. */
public class WrappedCollections {
    static class Row extends Leak.Payload implements Comparable<Row> {
        Row(int number) { super(number); }
        public int compareTo(Row other) { return Integer.compare(number, other.number); }
    }

    static final Map<Integer, Row> synchronizedMap = Collections.synchronizedMap(new HashMap<>());
    static final List<Row> synchronizedList = Collections.synchronizedList(new ArrayList<>());
    static final Set<Row> setFromMap = Collections.newSetFromMap(new ConcurrentHashMap<>());
    static final Map<Integer, Row> twice =
            Collections.checkedMap(Collections.synchronizedMap(new TreeMap<>()), Integer.class, Row.class);
    static final Collection<Row> synchronizedCollection = Collections.synchronizedCollection(new LinkedList<>());
    static final Queue<Row> lifo = Collections.asLifoQueue(new ArrayDeque<>());
    static final SortedMap<Integer, Row> sorted = Collections.synchronizedSortedMap(new TreeMap<>());

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 1200; i++) {
            synchronizedMap.put(i, new Row(i));
            synchronizedList.add(new Row(i));
            setFromMap.add(new Row(i));
            twice.put(i, new Row(i));
            synchronizedCollection.add(new Row(i));
            lifo.add(new Row(i));
            sorted.put(i, new Row(i));
        }
        Leak.dump();
    }
}
