import java.util.*;

/** A batch job whose main method keeps every result. */
public class LocalsOfMain {
    static class Result extends Leak.Payload {
        Result(int number) { super(number); }
    }

    public static void main(String[] args) throws Exception {
        Map<Integer, Result> results = new TreeMap<>();
        for (int i = 0; i < 4000; i++) results.put(i, new Result(i));
        Leak.dump();
        results.clear();
    }
}
