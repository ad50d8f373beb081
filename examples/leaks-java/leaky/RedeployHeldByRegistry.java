import java.util.*;

/** Redeployed code: an instance of each deployment stays in a static registry. */
public class RedeployHeldByRegistry {
    static final List<Object> PLUGINS = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 30; i++) PLUGINS.add(Deployment.start("plugin.Plugin"));
        Leak.dump();
    }
}
