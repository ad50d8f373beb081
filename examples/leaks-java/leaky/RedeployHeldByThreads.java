/** Redeployed code: each deployment leaves a running thread behind. */
public class RedeployHeldByThreads {
    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 30; i++) Deployment.start("plugin.ThreadPlugin");
        Leak.sleep(100);
        Leak.dump();
    }
}
