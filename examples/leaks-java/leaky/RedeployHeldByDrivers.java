/** Redeployed code: each deployment registers its JDBC driver. */
public class RedeployHeldByDrivers {
    public static void main(String[] args) throws Exception {
        for (int i = 0; i < 30; i++) Deployment.start("plugin.DriverPlugin");
        Leak.dump();
    }
}
