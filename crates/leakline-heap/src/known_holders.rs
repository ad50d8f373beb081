//! Fields of the JDK and of frameworks in which an application's objects pile up, and what to do
//! about it. Data; names are those of the versions in the comments and of JDK 17 to 25.

use crate::report::KnownHolder;

/// The field that holds, and what is known of it.
struct Entry {
    class: &'static str,
    field: &'static str,
    known: KnownHolder,
}

const fn entry(
    class: &'static str,
    field: &'static str,
    name: &'static str,
    advice: &'static str,
) -> Entry {
    Entry {
        class,
        field,
        known: KnownHolder { name, advice },
    }
}

const SUBMITTED: &str = "tasks are submitted faster than they are done: bound the queue and choose \
    what to do with tasks that do not fit, or see why the workers are slow";
const SCHEDULED: &str = "each task stays until its time comes, even if it was cancelled: cancel \
    tasks that are no longer wanted, and call setRemoveOnCancelPolicy(true)";
const CARDINALITY: &str = "each distinct combination of tag values is kept for ever: take user \
    ids, URLs with ids and the like out of the tags, or limit them with a filter";
const CLEANING: &str = "a cleaning action that refers to its object keeps it for ever, and one \
    that blocks holds up all others: make the action a static class or a record without the object";

const ENTRIES: &[Entry] = &[
    entry(
        "java.util.concurrent.ThreadPoolExecutor",
        "workQueue",
        "the work queue of an executor",
        SUBMITTED,
    ),
    entry(
        "java.util.concurrent.ScheduledThreadPoolExecutor",
        "workQueue",
        "the tasks of a scheduled executor",
        SCHEDULED,
    ),
    entry(
        "java.util.Timer",
        "queue",
        "the tasks of a timer",
        "each task stays until its time comes: cancel tasks that are no longer wanted, and call purge()",
    ),
    entry(
        "java.util.concurrent.CompletableFuture",
        "stack",
        "what waits for a future that does not complete",
        "complete it on every path, errors included, or give up with orTimeout",
    ),
    entry(
        "java.util.concurrent.SubmissionPublisher",
        "clients",
        "the subscribers of a publisher",
        "a subscriber stays until it cancels: cancel its subscription when it ends",
    ),
    entry(
        "java.sql.DriverManager",
        "registeredDrivers",
        "the registered JDBC drivers",
        "deregister the driver when the application that brought it is undeployed",
    ),
    entry(
        "java.lang.ApplicationShutdownHooks",
        "hooks",
        "the shutdown hooks of the JVM",
        "a hook stays until the JVM ends: remove it when what it is to stop has been stopped",
    ),
    entry(
        "java.io.DeleteOnExitHook",
        "files",
        "the files that File.deleteOnExit has noted",
        "each name stays until the JVM ends: delete temporary files when they are done with",
    ),
    entry(
        "java.util.logging.Logger$ConfigurationData",
        "handlers",
        "the handlers of a logger",
        "add a handler once, or remove it again",
    ),
    entry(
        "jdk.internal.ref.CleanerImpl",
        "phantomCleanableList",
        "the objects that a Cleaner watches",
        CLEANING,
    ),
    entry(
        "jdk.internal.ref.CleanerImpl",
        "activeList",
        "the objects that a Cleaner watches",
        CLEANING,
    ),
    entry(
        "jdk.internal.ref.CleanerImpl",
        "queue",
        "the objects that wait to be cleaned",
        CLEANING,
    ),
    entry(
        "java.lang.ref.ReferenceQueue",
        "head",
        "a reference queue that nobody polls",
        "poll it, or do without a queue",
    ),
    entry(
        "java.beans.PropertyChangeSupport",
        "map",
        "the property listeners of a bean",
        "remove the listener when its owner ends",
    ),
    entry(
        "java.util.Observable",
        "obs",
        "the observers of an observable",
        "delete the observer when its owner ends",
    ),
    // Guava 33
    entry(
        "com.google.common.eventbus.SubscriberRegistry",
        "subscribers",
        "the subscribers of a Guava event bus",
        "unregister what was registered when its owner ends",
    ),
    entry(
        "com.google.common.cache.LocalCache$LocalManualCache",
        "localCache",
        "a Guava cache",
        "set maximumSize or maximumWeight, and an expiry if entries go stale",
    ),
    // Caffeine 3
    entry(
        "com.github.benmanes.caffeine.cache.UnboundedLocalCache",
        "data",
        "a Caffeine cache without a bound",
        "set maximumSize or maximumWeight, and an expiry if entries go stale",
    ),
    // Spring 6
    entry(
        "org.springframework.beans.factory.support.DefaultSingletonBeanRegistry",
        "disposableBeans",
        "the beans that Spring is to destroy",
        "beans that are registered at run time stay until they are destroyed: destroy them, or do not give them destroy methods",
    ),
    // Tomcat 10
    entry(
        "org.apache.catalina.session.ManagerBase",
        "sessions",
        "the HTTP sessions of Tomcat",
        "shorten the session timeout, do not create sessions for machines and health checks, and keep attributes small",
    ),
    // Hibernate 6
    entry(
        "org.hibernate.engine.internal.StatefulPersistenceContext",
        "entitiesByKey",
        "the entities of a Hibernate session",
        "a session keeps all that it has loaded: flush and clear it in batches, use a stateless session, or close it sooner",
    ),
    entry(
        "org.hibernate.engine.internal.StatefulPersistenceContext",
        "entityEntryContext",
        "the entities of a Hibernate session",
        "a session keeps all that it has loaded: flush and clear it in batches, use a stateless session, or close it sooner",
    ),
    entry(
        "org.hibernate.query.internal.QueryInterpretationCacheStandardImpl",
        "queryPlanCache",
        "Hibernate's cache of query plans",
        "queries with IN lists of every length fill it: turn on hibernate.query.in_clause_parameter_padding, and lower hibernate.query.plan_cache_max_size",
    ),
    // Netty 4.1
    entry(
        "io.netty.util.HashedWheelTimer",
        "wheel",
        "the timeouts of a Netty timer",
        "cancel a timeout when what it guards is done",
    ),
    entry(
        "io.netty.util.HashedWheelTimer",
        "timeouts",
        "the timeouts of a Netty timer",
        "cancel a timeout when what it guards is done",
    ),
    entry(
        "io.netty.util.concurrent.SingleThreadEventExecutor",
        "taskQueue",
        "the tasks of a Netty event loop",
        "the event loop is blocked or overrun: move blocking work off it",
    ),
    entry(
        "io.netty.util.concurrent.AbstractScheduledEventExecutor",
        "scheduledTaskQueue",
        "the scheduled tasks of a Netty event loop",
        "cancel a task when what it guards is done",
    ),
    // Kafka clients 3.9
    entry(
        "org.apache.kafka.clients.producer.internals.RecordAccumulator",
        "topicInfoMap",
        "the records that a Kafka producer has not sent",
        "the brokers are slow or out of reach: lower buffer.memory and delivery.timeout.ms",
    ),
    entry(
        "org.apache.kafka.clients.consumer.internals.FetchBuffer",
        "completedFetches",
        "the records that a Kafka consumer has fetched",
        "lower fetch.max.bytes and max.partition.fetch.bytes",
    ),
    // OpenTelemetry SDK 1.45
    entry(
        "io.opentelemetry.sdk.metrics.internal.state.DefaultSynchronousMetricStorage$AggregatorHolder",
        "aggregatorHandles",
        "the series of an OpenTelemetry instrument",
        CARDINALITY,
    ),
    entry(
        "io.opentelemetry.sdk.metrics.internal.state.AsynchronousMetricStorage",
        "points",
        "the series of an OpenTelemetry instrument",
        CARDINALITY,
    ),
    entry(
        "io.opentelemetry.sdk.trace.export.BatchSpanProcessor$Worker",
        "queue",
        "the spans that OpenTelemetry has not exported",
        "the collector is slow or out of reach; the queue is bounded by otel.bsp.max.queue.size",
    ),
    // Micrometer 1.14
    entry(
        "io.micrometer.core.instrument.MeterRegistry",
        "meterMap",
        "the meters of Micrometer",
        CARDINALITY,
    ),
    entry(
        "io.micrometer.core.instrument.MeterRegistry",
        "preFilterIdToMeterMap",
        "the meters of Micrometer",
        CARDINALITY,
    ),
    // Logback 1.5
    entry(
        "ch.qos.logback.core.AsyncAppenderBase",
        "blockingQueue",
        "the events of an asynchronous Logback appender",
        "the appender behind it is slow; the queue is bounded by queueSize",
    ),
    entry(
        "ch.qos.logback.classic.util.LogbackMDCAdapter",
        "readWriteThreadLocalMap",
        "the MDC of pooled threads",
        "remove what was put into the MDC at the end of each task: use MDC.putCloseable",
    ),
    // Reactor 3.7
    entry(
        "reactor.core.publisher.SinkManyUnicast",
        "queue",
        "the items of a Reactor sink that nobody has requested",
        "give onBackpressureBuffer a bounded queue, and see why the subscriber is slow or missing",
    ),
    entry(
        "reactor.core.publisher.SinkManyReplayProcessor",
        "buffer",
        "the items that a Reactor sink replays",
        "limit them: replay().limit(size) or a time",
    ),
];

/// Values of thread-locals that are themselves collected.
pub(crate) const COLLECTED_THREAD_LOCALS: KnownHolder = KnownHolder {
    name: "what ThreadLocal objects have left behind that are themselves collected",
    advice: "keep a ThreadLocal in a static field, or remove its value before it goes: a thread \
        drops such values only when it happens to come across them",
};

/// All that is known.
pub(crate) fn all() -> impl Iterator<Item = KnownHolder> {
    let entries = ENTRIES.iter().map(|entry| entry.known);
    entries.chain([COLLECTED_THREAD_LOCALS])
}

/// What is known of a field, given whether its object's class is or inherits from a class.
pub(crate) fn known_holder(field: &str, inherits: impl Fn(&str) -> bool) -> Option<KnownHolder> {
    ENTRIES
        .iter()
        .filter(|entry| entry.field == field)
        .filter(|entry| inherits(entry.class))
        .map(|entry| entry.known)
        // the most specific class of a hierarchy stands last
        .next_back()
}
