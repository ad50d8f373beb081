package plugin;

/** Code that is deployed again and again; each deployment has 150 KB of configuration. */
public class Plugin {
    static final byte[][] CONFIGURATION = new byte[150][1000];
}
