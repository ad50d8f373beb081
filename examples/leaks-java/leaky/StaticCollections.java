import java.util.*;
import java.util.concurrent.*;

/** A static list or set of every kind that is filled and never emptied. */
public class StaticCollections {
    static class Visit extends Leak.Payload implements Comparable<Visit> {
        Visit(int number) { super(number); }
        public int compareTo(Visit other) { return Integer.compare(number, other.number); }
    }

    static final List<Visit> arrayList = new ArrayList<>();
    static final List<Visit> linkedList = new LinkedList<>();
    static final List<Visit> vector = new Vector<>();
    static final Stack<Visit> stack = new Stack<>();
    static final List<Visit> copyOnWrite = new CopyOnWriteArrayList<>();
    static final Set<Visit> hashSet = new HashSet<>();
    static final Set<Visit> linkedHashSet = new LinkedHashSet<>();
    static final Set<Visit> treeSet = new TreeSet<>();
    static final Set<Visit> skipListSet = new ConcurrentSkipListSet<>();
    static final Set<Visit> keySet = ConcurrentHashMap.newKeySet();
    static final Set<Visit> copyOnWriteSet = new CopyOnWriteArraySet<>();
    static Visit[] array = {};

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 1200; i++) {
            for (Collection<Visit> all : List.of(arrayList, linkedList, vector, stack, copyOnWrite,
                    hashSet, linkedHashSet, treeSet, skipListSet, keySet, copyOnWriteSet)) {
                all.add(new Visit(i));
            }
            array = Arrays.copyOf(array, i + 1);
            array[i] = new Visit(i);
        }
        Leak.dump();
    }
}
