package a.b;

import java.util.*;

/** Obfuscated names. */
public class c {
    static class d {
        byte[] a = new byte[1000];
        d(int b) {}
    }
    static class e {
        private Map<Integer, d> a = new HashMap<>();
    }
    static e a = new e();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) a.a.put(i, new d(i));
        Class.forName("Leak").getMethod("dump").invoke(null);
    }
}
