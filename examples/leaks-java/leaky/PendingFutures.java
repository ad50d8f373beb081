import java.util.*;
import java.util.concurrent.*;

/** Replies are awaited by id; those that never come are never given up. */
public class PendingFutures {
    static class Reply extends Leak.Payload {
        Reply(int number) { super(number); }
    }
    static class Client {
        private final Map<Long, CompletableFuture<Reply>> pending = new ConcurrentHashMap<>();
        void call(long id) {
            Leak.Payload context = new Reply((int) id);
            CompletableFuture<Reply> future = new CompletableFuture<>();
            future.thenApply(reply -> reply.number + context.number).thenAccept(sum -> {});
            pending.put(id, future);
        }
    }
    static final Client CLIENT = new Client();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) CLIENT.call(i);
        Leak.dump();
    }
}
