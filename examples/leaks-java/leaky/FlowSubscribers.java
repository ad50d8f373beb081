import java.util.concurrent.*;

/** Subscribers of a publisher that never cancel. */
public class FlowSubscribers {
    static class Client extends Leak.Payload implements Flow.Subscriber<String> {
        Client(int number) { super(number); }
        public void onSubscribe(Flow.Subscription subscription) {}
        public void onNext(String item) {}
        public void onError(Throwable error) {}
        public void onComplete() {}
    }
    static final SubmissionPublisher<String> PRICES = new SubmissionPublisher<>();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) PRICES.subscribe(new Client(i));
        Leak.sleep(100);
        Leak.dump();
    }
}
