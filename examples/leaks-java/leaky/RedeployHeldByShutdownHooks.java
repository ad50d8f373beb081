/** Redeployed code: each deployment registers a shutdown hook. */
public class RedeployHeldByShutdownHooks {
    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 30; i++) Deployment.start("plugin.HookPlugin");
        Leak.dump();
    }
}
