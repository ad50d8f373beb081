package plugin;

/** Registers a shutdown hook, which keeps it until the JVM ends. */
public class HookPlugin extends Plugin {
    public HookPlugin() {
        Runtime.getRuntime().addShutdownHook(new Thread(this::stop, "plugin-shutdown"));
    }

    void stop() {}
}
