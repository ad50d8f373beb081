import java.util.*;
import java.util.concurrent.*;
import java.util.function.*;

/** Callbacks by topic, as lambdas that capture the request they were made in. */
public class LambdaListeners {
    static class Request extends Leak.Payload {
        Request(int number) { super(number); }
        void handle(Map<String, List<Consumer<String>>> callbacks) {
            callbacks.computeIfAbsent("topic-" + number % 5, key -> new ArrayList<>())
                    .add(message -> System.out.println(message + number));
        }
    }
    static final Map<String, List<Consumer<String>>> CALLBACKS = new ConcurrentHashMap<>();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) new Request(i).handle(CALLBACKS);
        Leak.dump();
    }
}
