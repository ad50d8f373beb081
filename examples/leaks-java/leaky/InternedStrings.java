import java.util.*;

/** A table of its own for canonical strings, fed with what users type. */
public class InternedStrings {
    static class Interner {
        private static final Map<String, String> canonical = new HashMap<>();
        static String intern(String text) { return canonical.computeIfAbsent(text, key -> key); }
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 40_000; i++) Interner.intern("user typed text number " + i * 7919L);
        Leak.dump();
    }
}
