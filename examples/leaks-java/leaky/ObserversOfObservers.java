import java.util.*;

/** Views observe a model and models observe each other: a graph full of circles. */
public class ObserversOfObservers {
    static class Model {
        final byte[] state = new byte[500];
        final List<Model> observers = new ArrayList<>(4);
        final Registry registry;
        Model(Registry registry) { this.registry = registry; }
    }
    static class Registry {
        final Map<Integer, Model> models = new HashMap<>();
    }
    static final Registry REGISTRY = new Registry();

    public static void main(String[] args) throws Exception {
        Model previous = null;
        for (int i = 0; i < 6000; i++) {
            Model model = new Model(REGISTRY);
            if (previous != null) {
                previous.observers.add(model);
                model.observers.add(previous);
            }
            REGISTRY.models.put(i, model);
            previous = model;
        }
        Leak.dump();
    }
}
