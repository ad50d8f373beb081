import java.util.concurrent.*;

/** Work is submitted to a static executor faster than its one thread can do it. */
public class ExecutorQueue {
    static class Upload extends Leak.Payload {
        Upload(int number) { super(number); }
        void send() { Leak.park(); }
    }
    static final ExecutorService UPLOADS =
            Executors.newFixedThreadPool(2, task -> new Thread(task, "upload"));

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 5000; i++) {
            Upload upload = new Upload(i);
            UPLOADS.submit(() -> upload.send());
        }
        Leak.dump();
    }
}
