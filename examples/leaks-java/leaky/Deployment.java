import java.io.InputStream;

/** Loads classes of the package {@code plugin} anew, as an application server does. */
public class Deployment extends ClassLoader {
    Deployment() { super(Deployment.class.getClassLoader()); }

    static Object start(String name) throws Exception {
        return new Deployment().loadClass(name).getDeclaredConstructor().newInstance();
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!name.startsWith("plugin.")) return super.loadClass(name, resolve);
        Class<?> loaded = findLoadedClass(name);
        if (loaded != null) return loaded;
        try (InputStream in = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
            byte[] code = in.readAllBytes();
            return defineClass(name, code, 0, code.length);
        } catch (java.io.IOException e) {
            throw new ClassNotFoundException(name, e);
        }
    }
}
