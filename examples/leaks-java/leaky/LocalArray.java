/** A job that fills an array in a local variable. */
public class LocalArray {
    static class Order extends Leak.Payload {
        Order(int number) { super(number); }
    }

    static void load() {
        Object[] orders = new Object[4000];
        for (int i = 0; i < orders.length; i++) orders[i] = new Order(i);
        Leak.park();
        orders[0] = null;
    }

    public static void main(String[] args) throws Exception {
        new Thread(LocalArray::load, "order-loader").start();
        Leak.sleep(200);
        Leak.dump();
    }
}
