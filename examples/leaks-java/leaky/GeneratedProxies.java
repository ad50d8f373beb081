import java.lang.reflect.Proxy;
import java.util.*;

/** Proxies made anew for each call keep their handlers. */
public class GeneratedProxies {
    interface Service { void call(); }
    static class Stub extends Leak.Payload implements java.lang.reflect.InvocationHandler {
        Stub(int number) { super(number); }
        public Object invoke(Object proxy, java.lang.reflect.Method method, Object[] args) { return null; }
    }
    static final List<Service> STUBS = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) {
            STUBS.add((Service) Proxy.newProxyInstance(
                    Service.class.getClassLoader(), new Class<?>[] {Service.class}, new Stub(i)));
        }
        Leak.dump();
    }
}
