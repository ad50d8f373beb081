import java.util.*;

/** Every repository has its own static cache: no class stands out. */
public class StaticsOfManyClasses {
    static class Row extends Leak.Payload {
        Row(int number) { super(number); }
    }
    static class R1 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R2 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R3 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R4 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R5 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R6 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R7 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R8 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R9 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R10 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R11 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R12 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R13 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R14 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R15 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R16 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R17 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R18 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R19 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R20 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R21 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R22 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R23 { static final Map<Integer, Row> CACHE = new HashMap<>(); }
    static class R24 { static final Map<Integer, Row> CACHE = new HashMap<>(); }

    public static void main(String[] args) throws Exception {
        List<Map<Integer, Row>> all = List.of(R1.CACHE, R2.CACHE, R3.CACHE, R4.CACHE, R5.CACHE, R6.CACHE,
                R7.CACHE, R8.CACHE, R9.CACHE, R10.CACHE, R11.CACHE, R12.CACHE, R13.CACHE, R14.CACHE, R15.CACHE,
                R16.CACHE, R17.CACHE, R18.CACHE, R19.CACHE, R20.CACHE, R21.CACHE, R22.CACHE, R23.CACHE, R24.CACHE);
        for (int i = 0; i < 4800; i++) all.get(i % 24).put(i, new Row(i));
        all = null;
        Leak.dump();
    }
}
