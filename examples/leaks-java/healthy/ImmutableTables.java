import java.util.*;
import java.util.stream.*;

/** Tables that are filled at start and cannot grow. */
public class ImmutableTables {
    static class City extends Leak.Payload {
        City(int number) { super(number); }
    }
    static List<City> cities() {
        return IntStream.range(0, 1500).mapToObj(City::new).collect(Collectors.toList());
    }
    static final List<City> LIST = List.copyOf(cities());
    static final Map<Integer, City> MAP =
            cities().stream().collect(Collectors.toUnmodifiableMap(city -> city.number, city -> city));
    static final Set<City> SET = Set.copyOf(cities());
    static final List<City> STREAM = cities().stream().toList();
    static final Map<Integer, City> VIEW;
    static {
        Map<Integer, City> map = new TreeMap<>();
        for (City city : cities()) map.put(city.number, city);
        VIEW = Collections.unmodifiableMap(map);
    }

    public static void main(String[] args) throws Exception {
        Leak.dump();
    }
}
