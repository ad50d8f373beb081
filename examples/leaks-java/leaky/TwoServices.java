import java.util.*;
import java.util.concurrent.*;

/** Two leaks of different size in the fields of two services, held by one application object. */
public class TwoServices {
    static class Invoice extends Leak.Payload {
        Invoice(int number) { super(number); }
    }
    static class Login extends Leak.Payload {
        Login(int number) { super(number); }
    }
    static class InvoiceService {
        private final List<Invoice> printed = new ArrayList<>();
    }
    static class LoginService {
        private final Queue<Login> failed = new ConcurrentLinkedQueue<>();
    }
    static class App {
        final InvoiceService invoices = new InvoiceService();
        final LoginService logins = new LoginService();
    }
    static final App APP = new App();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) APP.invoices.printed.add(new Invoice(i));
        for (int i = 0; i < 2000; i++) APP.logins.failed.add(new Login(i));
        Leak.dump();
    }
}
