import java.util.*;
import java.util.concurrent.*;

/** A cache class of the program, keyed by a record, that never evicts. */
public class CacheWithoutEviction {
    record Key(String customer, int page) {}
    static class Result extends Leak.Payload {
        Result(int number) { super(number); }
    }
    static class ResultCache {
        private final ConcurrentMap<Key, Result> results = new ConcurrentHashMap<>();
        private long hits, misses;
        Result get(Key key) { return results.computeIfAbsent(key, k -> new Result(k.page)); }
    }
    static class SearchService {
        private final ResultCache cache = new ResultCache();
        private static final SearchService INSTANCE = new SearchService();
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) SearchService.INSTANCE.cache.get(new Key("customer-" + i % 700, i));
        Leak.dump();
    }
}
