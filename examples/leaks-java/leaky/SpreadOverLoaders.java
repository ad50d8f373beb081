import java.util.*;

/** Modules of twenty classes in three loaders each keep a little: no class and no loader stands out. */
public class SpreadOverLoaders {
    static final Map<String, List<Object>> MODULES = new TreeMap<>();

    public static void main(String[] args) throws Exception {
        for (int loader = 0; loader < 3; loader++) {
            Deployment deployment = new Deployment();
            for (char name = 'A'; name <= 'T'; name++) {
                Class<?> type = deployment.loadClass("plugin.Parts$" + name);
                List<Object> list = MODULES.computeIfAbsent(loader + type.getName(), key -> new ArrayList<>());
                for (int i = 0; i < 70; i++) list.add(type.getDeclaredConstructor().newInstance());
            }
        }
        Leak.dump();
    }
}
