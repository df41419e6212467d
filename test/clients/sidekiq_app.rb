# An application with Sidekiq. TENANT and PORT from the environment; every tenant runs its own workers of it, under the
# same names of queues and jobs. A job is told who asked for it, and writes down who did it. With the argument "work" this
# is a worker.

require "json"
require "sidekiq"
require "sidekiq/api"

TENANT = ENV.fetch("TENANT")
OPTIONS = {url: "redis://:#{TENANT}@127.0.0.1:#{ENV.fetch("PORT")}/0"}
# What Debian's two packages have to say to each other.
Redis.silence_deprecations = true if Redis.respond_to?(:silence_deprecations=)
Sidekiq.configure_client { |config| config.redis = OPTIONS }
Sidekiq.configure_server do |config|
  config.redis = OPTIONS
  # Seconds between two looks for jobs that are due.
  config.options[:poll_interval_average] = 0.3
  config.on(:startup) { puts "worker of #{TENANT} is ready" }
end

def note(kind, owner, value)
  Sidekiq.redis { |redis| redis.rpush("did:#{kind}", JSON.generate([owner, TENANT, value])) }
end

class Count
  include Sidekiq::Job

  def perform(owner, n)
    note("count", owner, n)
  end
end

class Flaky
  include Sidekiq::Job
  sidekiq_options queue: "critical", retry: 5
  sidekiq_retry_in { 3600 }

  def perform(owner, key)
    tries = Sidekiq.redis { |redis| redis.incr("tries:#{key}") }
    raise "#{owner} #{TENANT} not yet" if tries < 3
    note("flaky", owner, tries)
  end
end

class Hopeless
  include Sidekiq::Job
  sidekiq_options retry: 0

  def perform(owner)
    raise "#{owner} #{TENANT} never"
  end
end

if ARGV.first == "work"
  require "sidekiq/cli"
  $stdout.sync = true
  worker = Sidekiq::CLI.instance
  worker.parse(["-r", File.expand_path(__FILE__), "-c", "3", "-t", "5", "-q", "critical", "-q", "default"])
  ARGV.clear
  worker.run
end
