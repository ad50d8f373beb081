import java.util.*;
import java.util.function.*;

/** One list of events of many kinds: no class is large, the list is. */
public class SpreadOverClasses {
    static final List<Object> LOG = new ArrayList<>();

    static class Opened { final byte[] a = new byte[700]; }
    static class Closed { final long[] b = new long[90]; }
    static class Moved { final StringBuilder c = new StringBuilder("x".repeat(690)); }
    static class Renamed { final String d = "y".repeat(700) + System.nanoTime(); }
    static class Shared { final List<byte[]> e = List.of(new byte[300], new byte[300]); }
    static class Deleted { final char[] f = new char[350]; }
    static class Copied { final Object[] g = {new byte[680]}; }
    static class Viewed { final int[] h = new int[170]; }
    static class Liked { final Map<String, byte[]> i = new HashMap<>(Map.of("k", new byte[500])); }
    static class Tagged { final byte[] j = new byte[690]; }

    public static void main(String[] args) throws Exception {
        List<Supplier<Object>> kinds = List.of(Opened::new, Closed::new, Moved::new, Renamed::new, Shared::new,
                Deleted::new, Copied::new, Viewed::new, Liked::new, Tagged::new);
        for (int i = 0; i < 6000; i++) LOG.add(kinds.get(i % kinds.size()).get());
        Leak.dump();
    }
}
