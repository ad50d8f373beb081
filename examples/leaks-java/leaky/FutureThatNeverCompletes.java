import java.util.concurrent.*;

/** Everyone waits for one future; each adds a dependent that captures its request. */
public class FutureThatNeverCompletes {
    static class Request extends Leak.Payload {
        Request(int number) { super(number); }
        void proceed() {}
    }
    static final CompletableFuture<String> READY = new CompletableFuture<>();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) {
            Request request = new Request(i);
            READY.thenAccept(ready -> request.proceed());
        }
        Leak.dump();
    }
}
