import java.util.*;
import java.util.concurrent.*;

/** A field of one of many beans deep in a container. */
public class SingletonBean {
    static class Receipt extends Leak.Payload {
        Receipt(int number) { super(number); }
    }
    static class ReceiptRepository {
        private final Map<Integer, Receipt> receiptsById = new HashMap<>();
        void save(Receipt receipt) { receiptsById.put(receipt.number, receipt); }
    }
    static class PaymentService {
        final ReceiptRepository repository = new ReceiptRepository();
    }
    static class OtherBean {
        final byte[] settings = new byte[2000];
    }
    static class BeanFactory {
        final Map<String, Object> singletons = new ConcurrentHashMap<>();
    }
    static class Context {
        final BeanFactory factory = new BeanFactory();
    }
    static class Application {
        static Context context;
    }

    public static void main(String[] args) throws Exception {
        Application.context = new Context();
        for (int i = 0; i < 80; i++) Application.context.factory.singletons.put("bean-" + i, new OtherBean());
        PaymentService service = new PaymentService();
        Application.context.factory.singletons.put("paymentService", service);
        for (int i = 0; i < 5000; i++) service.repository.save(new Receipt(i));
        service = null;
        Leak.dump();
    }
}
