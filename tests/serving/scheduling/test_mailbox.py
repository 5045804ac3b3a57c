import asyncio
import threading

from serving.scheduling.mailbox import Mailbox


def test_everything_posted_from_other_threads_arrives_once_and_in_order():
    async def run():
        mailbox, received = Mailbox(asyncio.get_running_loop()), []

        def post(who):
            for number in range(1000):
                mailbox.post(received.append, (who, number))

        threads = [threading.Thread(target=post, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        while len(received) < 4000:
            await asyncio.sleep(0.001)
        for thread in threads:
            thread.join()
        return received

    received = asyncio.run(asyncio.wait_for(run(), 20))

    for who in range(4):
        assert [number for from_, number in received if from_ == who] == list(range(1000))


def test_what_gathers_while_the_loop_is_busy_costs_one_wake_up():
    async def run():
        loop = asyncio.get_running_loop()
        wakes, mailbox, received = [], Mailbox(loop), []
        wake = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *args: (wakes.append(1), wake(*args))

        def post():
            for number in range(100):
                mailbox.post(received.append, number)

        thread = threading.Thread(target=post)
        thread.start()
        thread.join()  # the loop stands still meanwhile
        await asyncio.sleep(0.01)
        return wakes, received

    wakes, received = asyncio.run(run())

    assert (len(wakes), received) == (1, list(range(100)))


def test_a_word_for_a_loop_that_has_ended_is_dropped():
    loop = asyncio.new_event_loop()
    loop.close()

    Mailbox(loop).post(print, "nobody listens")
