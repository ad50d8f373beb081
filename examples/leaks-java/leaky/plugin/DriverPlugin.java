package plugin;

import java.sql.*;
import java.util.Properties;
import java.util.logging.Logger;

/** Brings a JDBC driver along and never deregisters it. */
public class DriverPlugin extends Plugin implements Driver {
    public DriverPlugin() throws SQLException {
        DriverManager.registerDriver(this);
    }

    public Connection connect(String url, Properties info) { return null; }
    public boolean acceptsURL(String url) { return false; }
    public DriverPropertyInfo[] getPropertyInfo(String url, Properties info) { return new DriverPropertyInfo[0]; }
    public int getMajorVersion() { return 1; }
    public int getMinorVersion() { return 0; }
    public boolean jdbcCompliant() { return false; }
    public Logger getParentLogger() { return null; }
}
