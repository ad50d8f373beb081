import java.util.*;

/** A cache of sixteen segments, each a map with a limit, as Guava's and old Caffeine's are. */
public class SegmentedCache {
    static class Tile extends Leak.Payload {
        Tile(int number) { super(number); }
    }
    static class Segment {
        final long maxWeight;
        final LinkedHashMap<Integer, Tile> tiles = new LinkedHashMap<>();
        Segment(long maxWeight) { this.maxWeight = maxWeight; }
        synchronized void put(int key, Tile tile) {
            tiles.put(key, tile);
            Iterator<Integer> eldest = tiles.keySet().iterator();
            while (tiles.size() > maxWeight) {
                eldest.next();
                eldest.remove();
            }
        }
    }
    private final Segment[] segments = new Segment[16];
    static final SegmentedCache TILES = new SegmentedCache();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 16; i++) TILES.segments[i] = new Segment(200);
        for (int i = 0; i < 6000; i++) TILES.segments[i % 16].put(i, new Tile(i));
        Leak.dump();
    }
}
