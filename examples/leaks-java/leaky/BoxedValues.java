import java.util.*;

/** Metrics as boxed numbers under their names: nothing but strings and doubles. */
public class BoxedValues {
    static final Map<String, List<Double>> SERIES = new HashMap<>();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 100_000; i++) {
            SERIES.computeIfAbsent("series-" + i % 50, key -> new ArrayList<>()).add(i * 1.1);
        }
        Leak.dump();
    }
}
