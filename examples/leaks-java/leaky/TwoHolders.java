import java.util.*;

/** Orders stand in two indexes: neither dominates them. */
public class TwoHolders {
    static class Order extends Leak.Payload {
        Order(int number) { super(number); }
    }
    static class OrderIndex {
        private final Map<Integer, Order> byNumber = new HashMap<>();
        private final Map<String, Order> byName = new TreeMap<>();
    }
    static final OrderIndex INDEX = new OrderIndex();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 4000; i++) {
            Order order = new Order(i);
            INDEX.byNumber.put(i, order);
            INDEX.byName.put("order-" + i, order);
        }
        Leak.dump();
    }
}
