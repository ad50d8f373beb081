import java.util.*;

/** A batch that works on a data set of many kinds, all of them needed. */
public class WorkingSet {
    static class Supplier { final String name; Supplier(int i) { name = "supplier " + i; } }
    static class Product { final String title; Supplier from; Product(int i) { title = "product " + i; } }
    static class Customer { final String mail; final List<Purchase> bought = new ArrayList<>(); Customer(int i) { mail = i + "@example.com"; } }
    static class Purchase { Product what; final long when; Purchase(long when) { this.when = when; } }
    static class Warehouse { final Map<String, Integer> stock = new HashMap<>(); }

    final Supplier[] suppliers = new Supplier[500];
    final Map<Integer, Product> products = new HashMap<>();
    final List<Customer> customers = new ArrayList<>();
    final List<Warehouse> warehouses = new ArrayList<>();

    void load() {
        Random random = new Random(1);
        for (int i = 0; i < 500; i++) suppliers[i] = new Supplier(i);
        for (int i = 0; i < 3000; i++) {
            Product product = new Product(i);
            product.from = suppliers[random.nextInt(500)];
            products.put(i, product);
        }
        for (int i = 0; i < 2000; i++) {
            Customer customer = new Customer(i);
            for (int k = random.nextInt(5); k > 0; k--) {
                Purchase purchase = new Purchase(k);
                purchase.what = products.get(random.nextInt(3000));
                customer.bought.add(purchase);
            }
            customers.add(customer);
        }
        for (int i = 0; i < 10; i++) {
            Warehouse warehouse = new Warehouse();
            for (int k = 0; k < 300; k++) warehouse.stock.put("product " + random.nextInt(3000), k);
            warehouses.add(warehouse);
        }
    }

    public static void main(String[] args) throws Exception {
        WorkingSet set = new WorkingSet();
        set.load();
        Leak.dump();
        set.load();
    }
}
