import java.util.*;

/** Strings interned in the JVM's own table, which holds them weakly. */
public class Interning {
    static String[] last = new String[100];

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 100_000; i++) last[i % 100] = ("text number " + i).intern();
        Leak.dump();
    }
}
