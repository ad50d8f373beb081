/** A thread for each request, and none of them ends. */
public class ManyThreads {
    static void handle() {
        byte[] buffer = new byte[16_000];
        Leak.park();
        buffer[0]++;
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 300; i++) {
            Thread thread = new Thread(ManyThreads::handle, "request-" + i);
            thread.start();
        }
        Leak.sleep(300);
        Leak.dump();
    }
}
