# What a producer does with sidekiq_app.rb: `sidekiq_suite.rb <count> <workers> <patience>`,
# with so many workers running, and patience for so many seconds.

require_relative "sidekiq_app"

COUNT = Integer(ARGV[0])
WORKERS = Integer(ARGV[1])
PATIENCE = Integer(ARGV[2]) # seconds

def check(got, expected, what)
  abort "#{TENANT}: #{what}: got #{got.inspect}, expected #{expected.inspect}" unless got == expected
end

def wait_for(what)
  limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + PATIENCE
  until yield
    abort "#{TENANT}: waited for #{what} in vain" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit
    sleep 0.05
  end
end

def done(kind)
  Sidekiq.redis { |redis| redis.lrange("did:#{kind}", 0, -1) }.map { |line| JSON.parse(line) }
end

def mine(values)
  values.map { |value| [TENANT, TENANT, value] }
end

# Workers of this tenant are here, and none of another.
processes = Sidekiq::ProcessSet.new
wait_for("workers") { processes.size == WORKERS }
check(processes.map { |process| process["queues"] }, [%w[critical default]] * WORKERS, "processes")

# One by one, many in one call, later, and later in one call.
(0...COUNT).each { |n| Count.perform_async(TENANT, n) }
ids = Count.perform_bulk((COUNT...2 * COUNT).map { |n| [TENANT, n] }, batch_size: 50)
check(ids.uniq.size, COUNT, "ids of the bulk")
(2 * COUNT...2 * COUNT + 20).each { |n| Count.perform_in(0.5 + n % 3, TENANT, n) }
times = Array.new(20) { |i| Time.now.to_f + 1 + i * 0.02 }
bulk = {"class" => Count, "args" => (2 * COUNT + 20...2 * COUNT + 40).map { |n| [TENANT, n] }, "at" => times}
Sidekiq::Client.push_bulk(bulk)

# One that will not be due.
never = Count.perform_in(3600, TENANT, -1)
scheduled = Sidekiq::ScheduledSet.new
check(scheduled.find_job(never).args, [TENANT, -1], "a scheduled job")

Flaky.perform_async(TENANT, "flaky")
hopeless = Hopeless.perform_async(TENANT)

retries = Sidekiq::RetrySet.new
wait_for("the third attempt") do
  # Nobody else touches them: they are due in an hour, until they are told to be due now.
  retries.each { |job| job.reschedule(Time.now.to_f) if job.at > Time.now + 1000 }
  done("flaky").size >= 1
end
wait_for("all jobs") { done("count").size >= 2 * COUNT + 40 }
check(done("flaky"), mine([3]), "the third attempt")
dead = Sidekiq::DeadSet.new
wait_for("the job that never succeeds") { dead.size == 1 }
check(dead.first.jid, hopeless, "the dead job")
check(dead.first.item["error_message"], "#{TENANT} #{TENANT} never", "its error")
# Once more, by hand.
dead.first.retry
wait_for("the dead job again") { dead.size == 1 && dead.first.item["failed_at"] }

wait_for("everything") { Sidekiq::Queue.all.sum(&:size) == 0 && Sidekiq::Workers.new.size == 0 }
check(done("count").sort, mine((0...2 * COUNT + 40).to_a).sort, "jobs, each of them once")
check(scheduled.map(&:jid), [never], "what is still scheduled")
check(scheduled.find_job(never).delete, true, "deletion of a scheduled job")
check(retries.size, 0, "what is still to be tried again")
stats = Sidekiq::Stats.new
check(Sidekiq::Queue.all.map(&:name).sort, %w[critical default], "queues")
check([stats.enqueued, stats.scheduled_size, stats.retry_size, stats.dead_size], [0, 0, 0, 1], "sizes")
# Told with the heartbeat of each process.
wait_for("the statistics") { Sidekiq::Stats.new.processed >= 2 * COUNT + 40 + 3 + 2 }
stats = Sidekiq::Stats.new
check([stats.processed, stats.failed], [2 * COUNT + 40 + 3 + 2, 4], "jobs that were done and that failed")

puts "Sidekiq #{Sidekiq::VERSION} passed"
