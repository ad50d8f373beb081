import java.util.*;

/** Errors are kept for a report that nobody asks for. */
public class Exceptions {
    static final List<Exception> errors = new LinkedList<>();

    static void deep(int depth) {
        if (depth > 0) deep(depth - 1);
        else errors.add(new IllegalStateException("request failed"));
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) deep(20);
        Leak.dump();
    }
}
