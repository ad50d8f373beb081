import java.util.*;

/** A cache that evicts its eldest entry. */
public class LeastRecentlyUsed {
    static class Image extends Leak.Payload {
        Image(int number) { super(number); }
    }
    static class ImageCache extends LinkedHashMap<Integer, Image> {
        ImageCache() { super(16, 0.75f, true); }
        @Override
        protected boolean removeEldestEntry(Map.Entry<Integer, Image> eldest) { return size() > 3000; }
    }
    static final Map<Integer, Image> IMAGES = Collections.synchronizedMap(new ImageCache());

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 5000; i++) IMAGES.put(i, new Image(i));
        Leak.dump();
    }
}
